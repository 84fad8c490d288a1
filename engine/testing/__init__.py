"""Tests of stacks: fixtures that say what to send and expect, and their replay."""
