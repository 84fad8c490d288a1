"""Stackwright: backends as YAML function stacks, checked, compiled to Python and served."""
