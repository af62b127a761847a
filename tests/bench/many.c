/* many: thousands of targets behind one interface. Each has an address, a MAC and a serial of its own.
 *
 *     many INTERFACE COUNT
 *
 * It says `ready`, and answers query config, of all addresses at once too, and IDENTIFY, until it is killed. */
#include "packets.h"
#include <linux/filter.h>

enum { BATCH = 256, SLOTS = 250, FIRST_SHELF = 100, LONGEST = DATA + SECTOR, BUFFER_COUNT = 16 };
enum { WORD_SERIAL = 10, WORD_FIRMWARE = 23, WORD_MODEL = 27, WORD_CAPABILITIES = 49, WORD_FEATURES = 83, WORD_ENABLED = 86 };
enum { WORD_SECTORS = 100 };

static uint8_t frames[BATCH][LONGEST];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];
static unsigned waiting;

/* ATA strings have the two bytes of each word exchanged. */
static void put_text(uint8_t *page, int word, const char *text, int bytes) {
    int length = strlen(text);
    for (int i = 0; i < bytes; i++)
        page[2 * word + (i ^ 1)] = i < length ? text[i] : ' ';
}

static void flush(struct link *link) {
    send_all(link, messages, waiting);
    waiting = 0;
}

/* The reply of target `number`, as far as it is the same for every command. */
static uint8_t *begin_reply(struct link *link, const uint8_t *request, unsigned number, unsigned length) {
    if (waiting == BATCH)
        flush(link);
    uint8_t *reply = frames[waiting];
    unsigned shelf = FIRST_SHELF + number / SLOTS;
    memset(reply, 0, length);
    memcpy(reply, request + 6, 6);
    reply[6] = 0x02;
    reply[9] = number >> 16;
    reply[10] = number >> 8;
    reply[11] = number;
    memcpy(reply + 12, request + 12, AT_ARGUMENT - 12);
    reply[AT_FLAGS] = VERSION | RESPONSE;
    reply[AT_SHELF] = shelf >> 8;
    reply[AT_SHELF + 1] = shelf;
    reply[AT_SLOT] = number % SLOTS;
    parts[waiting] = (struct iovec){reply, length};
    messages[waiting].msg_hdr = (struct msghdr){.msg_iov = &parts[waiting], .msg_iovlen = 1};
    waiting++;
    return reply;
}

static void answer_config(struct link *link, const uint8_t *request, unsigned number) {
    uint8_t *reply = begin_reply(link, request, number, SHORTEST);
    reply[AT_ARGUMENT + 1] = BUFFER_COUNT;
    reply[AT_ARGUMENT + 3] = 1;
    reply[CONFIG_SECTORS] = (link->mtu - 22) / SECTOR;
    reply[CONFIG_SECTORS + 1] = VERSION;
}

static void answer_identify(struct link *link, const uint8_t *request, unsigned number) {
    uint8_t *reply = begin_reply(link, request, number, LONGEST), *page = reply + DATA;
    char serial[21];
    uint64_t sectors = 2048 + number;
    reply[ATA_COMMAND] = 0x40; /* ready */
    snprintf(serial, sizeof serial, "many-%u", number);
    put_text(page, WORD_SERIAL, serial, 20);
    put_text(page, WORD_FIRMWARE, "1", 8);
    put_text(page, WORD_MODEL, "emulated", 40);
    page[2 * WORD_CAPABILITIES + 1] = 2;
    page[2 * WORD_FEATURES + 1] = page[2 * WORD_ENABLED + 1] = 0x04; /* 48-bit addresses */
    memcpy(page + 2 * WORD_SECTORS, &sectors, sizeof sectors);
}

static void answer(struct link *link, const uint8_t *request, unsigned length, unsigned count) {
    if (length < 32 || request[AT_FLAGS] & RESPONSE)
        return;
    unsigned shelf = request[AT_SHELF] << 8 | request[AT_SHELF + 1], slot = request[AT_SLOT];
    unsigned number = (shelf - FIRST_SHELF) * SLOTS + slot;
    if (request[AT_COMMAND] == COMMAND_CONFIG && shelf == 0xffff && slot == 0xff)
        for (unsigned each = 0; each < count; each++)
            answer_config(link, request, each);
    else if (shelf < FIRST_SHELF || slot >= SLOTS || number >= count)
        return;
    else if (request[AT_COMMAND] == COMMAND_CONFIG)
        answer_config(link, request, number);
    else if (request[AT_COMMAND] == COMMAND_ATA && length >= DATA && request[ATA_COMMAND] == IDENTIFY)
        answer_identify(link, request, number);
}

/* Other programs of this host may load our link: what comes back to them must not cost us anything, or it costs them. */
static void hear_requests_alone(struct link *link) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, RESPONSE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, ~0U),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    must(setsockopt(link->socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), "SO_ATTACH_FILTER");
}

int main(int words, char **word) {
    struct link link = {0};
    if (words != 3) {
        fprintf(stderr, "usage: many INTERFACE COUNT\n");
        return 2;
    }
    open_link(&link, word[1]);
    hear_requests_alone(&link);
    struct packet_mreq all = {.mr_ifindex = link.index, .mr_type = PACKET_MR_PROMISC}; /* its MACs are none of the link's */
    must(setsockopt(link.socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all), "PACKET_ADD_MEMBERSHIP");
    puts("ready");
    fflush(stdout);
    for (;;) {
        unsigned length;
        uint8_t *frame;
        while ((frame = next_frame(&link, &length))) {
            answer(&link, frame, length, strtoul(word[2], NULL, 10));
            give_back(&link);
        }
        if (waiting)
            flush(&link);
        else
            wait_for_frames(&link, -1);
    }
}
