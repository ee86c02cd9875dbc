/* hoard SOCKET N: holds N connections to a Unix socket, until its standard input ends.
 * hoard --port: prints a TCP port that is free on 127.0.0.1. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
print_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        perror("hoard");
        return EXIT_FAILURE;
    }
    printf("%u\n", ntohs(address.sin_port));
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte;

    if (argc == 2 && strcmp(argv[1], "--port") == 0)
        return print_port();
    if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
            perror("hoard");
            return EXIT_FAILURE;
        }
    }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return EXIT_SUCCESS;
}
