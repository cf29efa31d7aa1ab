"""What a reply answers: an option, options, a number, an expression or a grade, as a person would read it."""
