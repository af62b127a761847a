"""aoetui against others: Debian's vblade, aoetools and tshark, and the Linux aoe driver in qemu."""
