"""The canonical form of files: one order of keys, one spelling of texts and expressions, and every comment kept."""
