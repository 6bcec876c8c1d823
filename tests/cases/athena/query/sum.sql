SELECT sum(price) + ${value} AS total FROM fruit;
-- One semicolon may end a statement.
