/* null: an AoE responder that touches no disk. What it needs for a request is the price of the packet socket alone.
 *
 *     null INTERFACE SHELF SLOT SECTORS
 *
 * It answers query config, IDENTIFY, reads (always the same bytes) and writes (kept nowhere) until it is killed. */
#include "packets.h"

enum { BATCH = 64, BUFFER_COUNT = 64 };
enum { WORD_CAPABILITIES = 49, WORD_FEATURES = 83, WORD_ENABLED = 86, WORD_SECTORS = 100 };

struct disk {
    uint16_t shelf;
    uint8_t slot;
    uint64_t sectors;
};

struct reply {
    uint8_t head[SHORTEST];
    struct iovec parts[2];
};

static struct reply replies[BATCH];
static struct mmsghdr messages[BATCH];
static uint8_t payload[MOST_BYTES], identity[SECTOR];

static void prepare(const struct disk *disk) {
    memset(payload, 0xa5, sizeof payload);
    identity[2 * WORD_CAPABILITIES + 1] = 2;
    identity[2 * WORD_FEATURES + 1] = identity[2 * WORD_ENABLED + 1] = 0x04; /* 48-bit addresses */
    memcpy(identity + 2 * WORD_SECTORS, &disk->sectors, sizeof disk->sectors);
    for (int i = 0; i < BATCH; i++) {
        replies[i].parts[0].iov_base = replies[i].head;
        messages[i].msg_hdr.msg_iov = replies[i].parts;
    }
}

static bool is_for(const struct disk *disk, const uint8_t *frame) {
    uint16_t shelf = frame[AT_SHELF] << 8 | frame[AT_SHELF + 1];
    return !(frame[AT_FLAGS] & RESPONSE) && (shelf == disk->shelf || shelf == 0xffff) &&
           (frame[AT_SLOT] == disk->slot || frame[AT_SLOT] == 0xff);
}

static void add_data(int number, uint8_t *data, size_t bytes) {
    replies[number].parts[0].iov_len = DATA;
    replies[number].parts[1] = (struct iovec){data, bytes};
    messages[number].msg_hdr.msg_iovlen = 2;
}

static void answer_ata(int number, const uint8_t *frame) {
    uint8_t *head = replies[number].head;
    head[ATA_FLAGS + 1] = head[ATA_COUNT] = 0;
    head[ATA_COMMAND] = 0x40; /* ready */
    if (frame[ATA_COMMAND] == IDENTIFY)
        add_data(number, identity, SECTOR);
    else if (frame[ATA_COMMAND] == READ_EXT)
        add_data(number, payload, frame[ATA_COUNT] * SECTOR);
}

static void answer(struct link *link, const struct disk *disk, int number, const uint8_t *frame) {
    uint8_t *head = replies[number].head;
    memcpy(head, frame + 6, 6);
    memcpy(head + 6, link->mac, 6);
    memcpy(head + 12, frame + 12, DATA - 12);
    head[AT_FLAGS] = VERSION | RESPONSE;
    head[AT_SHELF] = disk->shelf >> 8;
    head[AT_SHELF + 1] = disk->shelf;
    head[AT_SLOT] = disk->slot;
    replies[number].parts[0].iov_len = SHORTEST;
    messages[number].msg_hdr.msg_iovlen = 1;
    if (frame[AT_COMMAND] == COMMAND_ATA) {
        answer_ata(number, frame);
        return;
    }
    memset(head + AT_ARGUMENT, 0, 8);
    head[AT_ARGUMENT + 1] = BUFFER_COUNT;
    head[CONFIG_SECTORS] = (link->mtu - 22) / SECTOR;
    head[CONFIG_SECTORS + 1] = VERSION;
}

static bool can_answer(const struct disk *disk, const uint8_t *frame, unsigned length) {
    if (length < 32 || !is_for(disk, frame))
        return false;
    if (frame[AT_COMMAND] != COMMAND_ATA)
        return frame[AT_COMMAND] == COMMAND_CONFIG;
    return length >= DATA && frame[ATA_COUNT] * SECTOR <= MOST_BYTES - DATA;
}

static void serve(struct link *link, const struct disk *disk) {
    for (;;) {
        int count = 0;
        unsigned length;
        uint8_t *frame;
        while (count < BATCH && (frame = next_frame(link, &length))) {
            if (can_answer(disk, frame, length))
                answer(link, disk, count++, frame);
            give_back(link);
        }
        if (count)
            send_all(link, messages, count);
        else
            wait_for_frames(link, -1);
    }
}

int main(int count, char **words) {
    struct link link = {0};
    if (count != 5) {
        fprintf(stderr, "usage: null INTERFACE SHELF SLOT SECTORS\n");
        return 2;
    }
    struct disk disk = {atoi(words[2]), atoi(words[3]), strtoull(words[4], NULL, 10)};
    open_link(&link, words[1]);
    prepare(&disk);
    serve(&link, &disk);
}
