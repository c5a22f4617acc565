/* Logs in with Apache's C client and says what became of it: "in as ID", "anonymous" or "refused (code)".
 *
 * usage: login <address> <mechanism, or - for none> <service> <server's name> <user, or -> <password file>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper.h>

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)type, (void)state, (void)path, (void)context;
}

/* Waits until the session stands or never will; whether it does. */
static int connected(zhandle_t *zh) {
    time_t end = time(NULL) + 12;
    while (time(NULL) < end) {
        int state = zoo_state(zh);
        if (state == ZOO_CONNECTED_STATE)
            return 1;
        if (is_unrecoverable(zh))
            return 0;
        usleep(10000);
    }
    return 0;
}

static void say(zhandle_t *zh) {
    char path[64], made[64];
    struct ACL_vector acl;
    struct Stat stat;
    snprintf(path, sizeof path, "/c-client-%d-%ld", (int)getpid(), (long)time(NULL));
    int code = zoo_create(zh, path, "x", 1, &ZOO_CREATOR_ALL_ACL, 0, made, sizeof made);
    if (code == ZINVALIDACL) {
        puts("anonymous");
        return;
    }
    if (code == ZOK)
        code = zoo_get_acl(zh, path, &acl, &stat);
    if (code == ZOK && acl.count > 0)
        printf("in as %s\n", acl.data[0].id.id);
    else
        printf("refused (%d)\n", code);
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fputs("usage: login <address> <mechanism or -> <service> <server's name> <user or -> <password file>\n", stderr);
        return 2;
    }
    zoo_set_debug_level(0);
    zhandle_t *zh;
    if (strcmp(argv[2], "-") == 0) {
        zh = zookeeper_init(argv[1], watcher, 10000, NULL, NULL, 0);
    } else {
        zoo_sasl_params_t sasl = {0};
        sasl_client_init(NULL);
        sasl.mechlist = argv[2];
        sasl.service = argv[3];
        sasl.host = argv[4];
        /* A user becomes the authorization id, too: with a ticket it is left out. */
        const char *user = strcmp(argv[5], "-") == 0 ? NULL : argv[5];
        sasl.callbacks = zoo_sasl_make_basic_callbacks(user, NULL, argv[6]);
        zh = zookeeper_init_sasl(argv[1], watcher, 10000, NULL, NULL, 0, NULL, &sasl);
    }
    if (zh == NULL || !connected(zh))
        puts("refused (never connected)");
    else
        say(zh);
    fflush(stdout);
    /* A library that waits for a server that turned it away has nothing more to say. */
    _exit(0);
}
