"""What a run can judge: the built-in labs, and servers that a target file describes."""
