// Go needs this file for functions without a body.
