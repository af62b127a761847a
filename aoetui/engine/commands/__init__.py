"""What can be asked of other targets and of this host: frozen commands and their results, a module for each field."""
