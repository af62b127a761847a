"""What the bytes of a disk say it holds: partition tables, file systems, containers. Pure, and unmoved by any bytes."""
