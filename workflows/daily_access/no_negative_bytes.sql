SELECT method, status, bytes FROM new_version WHERE bytes < 0
