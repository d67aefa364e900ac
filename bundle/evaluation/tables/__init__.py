"""The results page: our tables beside the paper's, and plots."""
