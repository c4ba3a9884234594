"""The layer rules, one by one."""
