SELECT sum(price) + ${value} AS total FROM fruit
