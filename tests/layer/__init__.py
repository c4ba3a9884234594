"""One layer: opened, checked, packed and unpacked."""
