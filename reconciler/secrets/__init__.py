"""References -> the values of secrets; new secrets -> delivered, proven and rotated."""
