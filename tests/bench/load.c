/* load: an AoE initiator that keeps a window of requests under way, and measures.
 *
 *     load --interface IFACE --shelf N --slot N [--write] [--random] [--window N] [--seconds S] [--requests N]
 *          [--sectors N] [--exports N] [--initiators N] [--verify] [--warm] [--process PID] [--wait S]
 *
 * It ends after --seconds, or after --requests answers if that is sooner, and prints one line of JSON. Where sectors is not
 * given it is what the target advertises. --exports N spreads requests over N addresses in turn: slots 0 to 99 of each shelf
 * from --shelf on (--slot is then not looked at). --initiators N sends from N source addresses in turn. --verify writes a pattern
 * that tells sectors apart, and reads compare with it. --warm first reads everything once. --process PID: the processor time of
 * that process within the measured span. --wait: seconds for the first answer. Exit code 3: none came. */
#include "packets.h"
#include <getopt.h>
#include <time.h>

enum { MOST_WINDOW = 1024, SLOTS_A_SHELF = 100, GRAIN = 8, CLASSES = 40 << GRAIN, SEQUENCE_AT = 10 };
#define RESEND_AFTER 200000000ull /* nanoseconds */
#define LOOK_EVERY 50000000ull

struct options {
    const char *interface;
    unsigned shelf, slot, window, sectors, exports, initiators;
    bool writes, random, verify, warm;
    uint64_t requests;
    double seconds, wait;
    pid_t process;
};

struct request {
    uint64_t begun, sent, lba;
    uint32_t tag;
    bool under_way;
    unsigned length;
    uint8_t frame[DATA + MOST_BYTES];
};

struct figures {
    uint64_t issued, done, resends, errors, wrong;
    uint64_t nanoseconds, own_time, process_time;
    uint64_t latencies[CLASSES];
};

static struct options options = {.window = 1, .exports = 1, .initiators = 1, .seconds = 1, .wait = 10, .requests = UINT64_MAX};
static struct link link_;
static uint8_t target[6];
static uint64_t disk_sectors, dice, sequence, looked;
static struct request requests[MOST_WINDOW];
static struct mmsghdr messages[MOST_WINDOW];
static struct iovec parts[MOST_WINDOW];
static unsigned idle[MOST_WINDOW], idle_count;
static struct figures figures;

/* ---- latencies: classes of less than half a percent each */

static unsigned class_of(uint64_t nanoseconds) {
    if (nanoseconds < 1u << GRAIN)
        return nanoseconds;
    unsigned power = 63 - __builtin_clzll(nanoseconds) - GRAIN;
    unsigned class = ((power + 1) << GRAIN) + ((nanoseconds >> power) - (1u << GRAIN));
    return class < CLASSES ? class : CLASSES - 1;
}

static double lowest_of(unsigned class) {
    if (class < 1u << GRAIN)
        return class;
    return (double)((1u << GRAIN) + (class & ((1u << GRAIN) - 1))) * (double)(1ull << ((class >> GRAIN) - 1));
}

static double latency_of(double share) {
    double before = 0, wanted = share * figures.done;
    for (unsigned class = 0; class < CLASSES; class++) {
        double here = figures.latencies[class];
        if (here && before + here >= wanted)
            return lowest_of(class) + (lowest_of(class + 1) - lowest_of(class)) * (wanted - before) / here;
        before += here;
    }
    return 0;
}

/* ---- time */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint64_t time_of(pid_t process) {
    struct timespec time;
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    if (process && clock_getcpuclockid(process, &clock))
        return 0;
    return clock_gettime(clock, &time) ? 0 : time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* ---- frames */

static void put_header(uint8_t *frame, const uint8_t *to, unsigned address, uint8_t command, uint32_t tag) {
    unsigned shelf = options.shelf, slot = options.slot;
    if (options.exports > 1) {
        shelf += address / SLOTS_A_SHELF;
        slot = address % SLOTS_A_SHELF;
    }
    memcpy(frame, to, 6);
    memcpy(frame + 6, link_.mac, 6);
    frame[12] = AOE >> 8;
    frame[13] = AOE & 255;
    frame[AT_FLAGS] = VERSION;
    frame[AT_SHELF] = shelf >> 8;
    frame[AT_SHELF + 1] = shelf;
    frame[AT_SLOT] = slot;
    frame[AT_COMMAND] = command;
    for (int i = 0; i < 4; i++)
        frame[AT_TAG + i] = tag >> (24 - 8 * i);
}

static uint32_t tag_of(const uint8_t *frame) {
    return (uint32_t)frame[AT_TAG] << 24 | frame[AT_TAG + 1] << 16 | frame[AT_TAG + 2] << 8 | frame[AT_TAG + 3];
}

/* A 64-bit word that tells its sector and its place in it. */
static uint64_t pattern(uint64_t lba, unsigned place) {
    uint64_t word = (lba * (SECTOR / 8) + place + 1) * 0x9e3779b97f4a7c15ull;
    return word ^ word >> 29;
}

static void put_data(struct request *request) {
    uint8_t *data = request->frame + DATA;
    for (unsigned sector = 0; sector < options.sectors; sector++, data += SECTOR) {
        for (unsigned place = 0; place < (options.verify ? SECTOR / 8 : 1); place++) {
            uint64_t word = pattern(options.verify ? request->lba + sector : sequence, place);
            memcpy(data + 8 * place, &word, 8);
        }
    }
}

static bool holds_pattern(uint64_t lba, const uint8_t *data) {
    for (unsigned sector = 0; sector < options.sectors; sector++, data += SECTOR)
        for (unsigned place = 0; place < SECTOR / 8; place++) {
            uint64_t word = pattern(lba + sector, place);
            if (memcmp(data + 8 * place, &word, 8))
                return false;
        }
    return true;
}

static uint64_t next_lba(void) {
    uint64_t places = disk_sectors / options.sectors, place = figures.issued / options.exports;
    if (options.random) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        place = dice;
    }
    return place % places * options.sectors;
}

static void put_request(unsigned number) {
    struct request *request = &requests[number];
    uint8_t *frame = request->frame;
    request->lba = next_lba();
    request->tag = (++sequence << SEQUENCE_AT | number) & 0x7fffffff;
    put_header(frame, target, figures.issued % options.exports, COMMAND_ATA, request->tag);
    if (options.initiators > 1) {
        unsigned initiator = figures.issued % options.initiators;
        memcpy(frame + 6, (uint8_t[]){0x02, 0xa0, 0xe0, 0x00, initiator >> 8, initiator}, 6);
    }
    frame[ATA_FLAGS] = LBA48 | (options.writes ? IS_WRITE : 0);
    frame[ATA_COUNT] = options.sectors;
    frame[ATA_COMMAND] = options.writes ? WRITE_EXT : READ_EXT;
    for (int i = 0; i < 6; i++)
        frame[ATA_LBA + i] = request->lba >> 8 * i;
    request->length = SHORTEST;
    if (options.writes) {
        put_data(request);
        request->length = DATA + options.sectors * SECTOR;
    }
    figures.issued++;
}

/* ---- requests under way */

static unsigned prepare_message(unsigned number, unsigned count) {
    parts[count] = (struct iovec){requests[number].frame, requests[number].length};
    return count + 1;
}

static void send_new(uint64_t most) {
    unsigned count = 0;
    uint64_t time = now();
    while (idle_count && figures.issued < most) {
        unsigned number = idle[--idle_count];
        put_request(number);
        requests[number].under_way = true;
        requests[number].begun = requests[number].sent = time;
        count = prepare_message(number, count);
    }
    send_all(&link_, messages, count);
}

static void send_again(uint64_t time) {
    unsigned count = 0;
    if (time - looked < LOOK_EVERY)
        return;
    looked = time;
    for (unsigned number = 0; number < options.window; number++) {
        if (!requests[number].under_way || time - requests[number].sent < RESEND_AFTER)
            continue;
        requests[number].sent = time;
        count = prepare_message(number, count);
    }
    figures.resends += count;
    send_all(&link_, messages, count);
}

static void judge(const struct request *request, const uint8_t *frame, unsigned length) {
    bool failed = frame[AT_FLAGS] & FAILED || frame[ATA_COMMAND] & STATUS_ERROR;
    if (failed || (!options.writes && length < DATA + options.sectors * SECTOR))
        figures.errors++;
    else if (options.verify && !options.writes && !holds_pattern(request->lba, frame + DATA))
        figures.wrong++;
}

static void take(const uint8_t *frame, unsigned length, uint64_t time) {
    if (length < DATA || !(frame[AT_FLAGS] & RESPONSE) || frame[AT_COMMAND] != COMMAND_ATA)
        return;
    uint32_t tag = tag_of(frame);
    struct request *request = &requests[tag & (MOST_WINDOW - 1)];
    if (!request->under_way || request->tag != tag)
        return;
    judge(request, frame, length);
    request->under_way = false;
    idle[idle_count++] = tag & (MOST_WINDOW - 1);
    figures.done++;
    figures.latencies[class_of(time - request->begun)]++;
}

static void take_all(void) {
    unsigned length;
    uint8_t *frame = next_frame(&link_, &length);
    if (!frame) {
        wait_for_frames(&link_, 20);
        frame = next_frame(&link_, &length);
    }
    uint64_t time = now();
    for (; frame; frame = next_frame(&link_, &length)) {
        take(frame, length, time);
        give_back(&link_);
    }
    send_again(time);
}

static void start(void) {
    memset(&figures, 0, sizeof figures);
    idle_count = 0;
    for (unsigned number = options.window; number--;) {
        requests[number].under_way = false;
        idle[idle_count++] = number;
    }
}

static void let_end(uint64_t nanoseconds) {
    struct figures kept = figures;
    for (uint64_t end = now() + nanoseconds; idle_count < options.window && now() < end;)
        take_all();
    kept.errors = figures.errors;
    kept.wrong = figures.wrong;
    figures = kept;
}

static void run(uint64_t most, double seconds) {
    start();
    uint64_t process = options.process ? time_of(options.process) : 0, own = time_of(0), begun = now();
    uint64_t end = begun + (uint64_t)(seconds * 1e9);
    while (figures.done < most && now() < end) {
        send_new(most);
        take_all();
    }
    figures.nanoseconds = now() - begun;
    figures.own_time = time_of(0) - own;
    figures.process_time = options.process ? time_of(options.process) - process : 0;
    let_end(1000000000ull);
}

static void warm_up(void) {
    struct options asked = options;
    options.writes = options.random = options.verify = false;
    options.window = 16;
    run(disk_sectors / options.sectors * options.exports, 600);
    options = asked;
}

/* ---- before all that: who is there, and how large */

static bool ask(uint8_t *frame, uint8_t *answer, unsigned least) {
    for (uint64_t end = now() + (uint64_t)(options.wait * 1e9); now() < end;) {
        must(send(link_.socket, frame, SHORTEST, 0), "send");
        for (uint64_t soon = now() + 100000000ull; now() < soon; wait_for_frames(&link_, 20)) {
            unsigned length;
            for (uint8_t *heard; (heard = next_frame(&link_, &length)); give_back(&link_)) {
                if (length < least || !(heard[AT_FLAGS] & RESPONSE) || tag_of(heard) != tag_of(frame))
                    continue;
                memcpy(answer, heard, least);
                give_back(&link_);
                return true;
            }
        }
    }
    return false;
}

static bool meet(void) {
    uint8_t frame[SHORTEST] = {0}, answer[DATA + SECTOR];
    put_header(frame, (uint8_t[]){255, 255, 255, 255, 255, 255}, options.exports - 1, COMMAND_CONFIG, 0x7fffff01);
    if (!ask(frame, answer, 32))
        return false;
    memcpy(target, answer + 6, 6);
    unsigned fits = (link_.mtu - 22) / SECTOR, advertised = answer[CONFIG_SECTORS];
    if (!options.sectors)
        options.sectors = advertised && advertised < fits ? advertised : fits;
    memset(frame, 0, sizeof frame);
    put_header(frame, target, 0, COMMAND_ATA, 0x7fffff02);
    frame[ATA_COUNT] = 1;
    frame[ATA_COMMAND] = IDENTIFY;
    if (!ask(frame, answer, DATA + SECTOR))
        return false;
    memcpy(&disk_sectors, answer + DATA + 200, 6);
    return disk_sectors >= options.sectors;
}

static void hear_every_address(void) {
    struct packet_mreq all = {.mr_ifindex = link_.index, .mr_type = PACKET_MR_PROMISC};
    must(setsockopt(link_.socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all), "PACKET_MR_PROMISC");
}

static void read_options(int count, char **words) {
    enum { INTERFACE, SHELF, SLOT, WRITE, RANDOM, WINDOW, SECONDS, REQUESTS, SECTORS, EXPORTS, INITIATORS, VERIFY, WARM, PROCESS, WAIT };
    static const struct option known[] = {
        {"interface", 1, 0, INTERFACE}, {"shelf", 1, 0, SHELF}, {"slot", 1, 0, SLOT}, {"write", 0, 0, WRITE},
        {"random", 0, 0, RANDOM}, {"window", 1, 0, WINDOW}, {"seconds", 1, 0, SECONDS}, {"requests", 1, 0, REQUESTS},
        {"sectors", 1, 0, SECTORS}, {"exports", 1, 0, EXPORTS}, {"initiators", 1, 0, INITIATORS}, {"verify", 0, 0, VERIFY},
        {"warm", 0, 0, WARM}, {"process", 1, 0, PROCESS}, {"wait", 1, 0, WAIT}, {0}};
    for (int found; (found = getopt_long(count, words, "", known, NULL)) != -1;)
        switch (found) {
        case INTERFACE: options.interface = optarg; break;
        case SHELF: options.shelf = atoi(optarg); break;
        case SLOT: options.slot = atoi(optarg); break;
        case WRITE: options.writes = true; break;
        case RANDOM: options.random = true; break;
        case WINDOW: options.window = atoi(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case REQUESTS: options.requests = strtoull(optarg, NULL, 10); break;
        case SECTORS: options.sectors = atoi(optarg); break;
        case EXPORTS: options.exports = atoi(optarg); break;
        case INITIATORS: options.initiators = atoi(optarg); break;
        case VERIFY: options.verify = true; break;
        case WARM: options.warm = true; break;
        case PROCESS: options.process = atoi(optarg); break;
        case WAIT: options.wait = atof(optarg); break;
        default: exit(2);
        }
    if (!options.interface || options.window < 1 || options.window > MOST_WINDOW || options.exports < 1 ||
        options.sectors > (MOST_BYTES - DATA) / SECTOR) {
        fprintf(stderr, "load: --interface is needed; --window is 1 to %d, --exports 1 or more\n", MOST_WINDOW);
        exit(2);
    }
}

static void report(void) {
    printf("{\"requests\": %lu, \"nanoseconds\": %lu, \"median\": %.0f, \"p99\": %.0f, \"resends\": %lu, \"errors\": %lu, ", figures.done,
           figures.nanoseconds, latency_of(0.5), latency_of(0.99), figures.resends, figures.errors);
    printf("\"wrong\": %lu, \"sectors\": %u, \"load_time\": %lu, \"target_time\": %lu}\n", figures.wrong, options.sectors,
           figures.own_time, figures.process_time);
}

int main(int count, char **words) {
    read_options(count, words);
    open_link(&link_, options.interface);
    sequence = dice = now() | 1;
    for (unsigned number = 0; number < MOST_WINDOW; number++) {
        messages[number].msg_hdr.msg_iov = &parts[number];
        messages[number].msg_hdr.msg_iovlen = 1;
        if (options.writes)
            memset(requests[number].frame + DATA, 0x5a + number, MOST_BYTES);
    }
    if (options.initiators > 1)
        hear_every_address();
    if (!meet()) {
        fprintf(stderr, "load: nothing answered on %s within %.0f s, or it is too small\n", options.interface, options.wait);
        return 3;
    }
    if (options.warm)
        warm_up();
    run(options.requests, options.seconds);
    report();
}
