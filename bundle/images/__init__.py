"""Reading and writing pictures and volumes."""
