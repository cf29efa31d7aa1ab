"""What an Evalfile declares: from its files to typed declarations, and to the cells of each matrix."""
