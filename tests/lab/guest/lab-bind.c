/* lab-bind CPU: a guest's program that can run on one processor only, by the kernel's number.
 * Stays in the background, asleep; prints its pid. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    cpu_set_t set;
    pid_t pid;

    CPU_ZERO(&set);
    if (argc == 2)
        CPU_SET(atoi(argv[1]), &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        perror("lab-bind: sched_setaffinity");
        return 1;
    }
    pid = fork();
    if (pid < 0) {
        perror("lab-bind: fork");
        return 1;
    }
    if (pid > 0) {
        printf("%d\n", (int) pid);
        return 0;
    }
    /* Whoever waits for the end of the output must not wait for this one. */
    close(1);
    close(2);
    for (;;)
        pause();
}
