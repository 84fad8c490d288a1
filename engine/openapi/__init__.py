"""The contract of a workspace as OpenAPI 3.1 documents, made from what was checked: nothing runs, nothing is asked."""
