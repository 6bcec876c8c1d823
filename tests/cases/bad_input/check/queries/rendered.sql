SELECT ${a} FRM t
