SELECT a FROM new_version WHERE a < 0
