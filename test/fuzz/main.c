/*
 * main.c
 *	  main [--seed N] [--mutations N] [--golden-write] GOLDEN_DIRECTORY
 *	  main [--seed N] --teams N
 *
 * Runs the stand-alone tests of src/vector and src/encoding; see test/fuzz/run.
 */
#include "fuzz.h"

#include <time.h>

int
main(int argc, char **argv)
{
	uint64_t seed = (uint64_t) time(NULL);
	uint64_t mutations = 40000;
	const char *golden = NULL;
	int teams = 0;
	bool write = false;
	int i;

	for (i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc)
			mutations = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--teams") == 0 && i + 1 < argc)
			teams = atoi(argv[++i]);
		else if (strcmp(argv[i], "--golden-write") == 0)
			write = true;
		else
			golden = argv[i];
	}
	if (golden == NULL && teams == 0)
	{
		fprintf(stderr, "the directory of golden files is missing\n");
		return 2;
	}
	printf("seed %llu, %llu mutations\n", (unsigned long long) seed,
		   (unsigned long long) mutations);
	fflush(stdout);
	for (i = 0; i < teams; i++)
		test_team(seed + (uint64_t) i);
	if (teams == 0)
		test_golden(golden, write);
	if (teams == 0 && !write)
	{
		test_vector(seed);
		test_builder(seed);
		test_roundtrip(seed);
		test_team(seed);
		test_crafted();
		test_mutate(seed, mutations);
	}
	printf("%llu passed, %llu failed\n", (unsigned long long) checks_passed,
		   (unsigned long long) checks_failed);
	return checks_failed == 0 ? 0 : 1;
}
