"""The command line: results on stdout, talk on stderr; exit codes 0 done, 1 the run failed, 2 the request was wrong."""
