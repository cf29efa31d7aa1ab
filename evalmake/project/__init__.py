"""What an Evalfile declares: files to typed declarations to the cells of their matrices."""
