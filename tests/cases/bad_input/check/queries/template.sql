SELECT ${a b} AS a,
  ${c +} AS c FRM t
