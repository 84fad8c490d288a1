"""What Stackwright costs, beside the same endpoints written by hand with the same libraries."""
