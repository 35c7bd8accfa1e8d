"""What is computed: the steps of one run."""
