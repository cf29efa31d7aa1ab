"""What commands share: their options, the Evalfile and the jobs that they mean, completion, the run of a build."""
