"""Where pictures come from: `catalog → download → idx → uint8 array → split`."""
