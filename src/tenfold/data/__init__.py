"""Load and split pictures: `catalog → download → idx → uint8 array → split`."""
