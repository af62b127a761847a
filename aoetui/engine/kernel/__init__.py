"""The Linux aoe driver, where its module is loaded: sysfs, debugfs, /dev/etherd, and how the module is loaded."""
