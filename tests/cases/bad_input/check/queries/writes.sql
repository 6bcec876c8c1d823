-- Away with them.
DELETE FROM access_log
