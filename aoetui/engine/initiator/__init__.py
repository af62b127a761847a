"""Using the devices of others: questions with their answers, reads and writes, the paths between."""
