/* What the benchmark's two programs share: a packet socket of one interface with a receive ring (TPACKET_V2), and the
 * layout of AoE frames (AoEr11, sections 2, 3.1 and 3.2). Inside network namespaces only. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AOE = 0x88a2, SECTOR = 512, SHORTEST = 60, MOST_BYTES = 9216 };
enum { AT_FLAGS = 14, AT_SHELF = 16, AT_SLOT = 18, AT_COMMAND = 19, AT_TAG = 20, AT_ARGUMENT = 24, DATA = 36 };
enum { ATA_FLAGS = 24, ATA_COUNT = 26, ATA_COMMAND = 27, ATA_LBA = 28, CONFIG_SECTORS = 28 };
enum { VERSION = 0x10, RESPONSE = 0x08, FAILED = 0x04, COMMAND_ATA = 0, COMMAND_CONFIG = 1 };
enum { LBA48 = 0x40, IS_WRITE = 0x01, READ_EXT = 0x24, WRITE_EXT = 0x34, IDENTIFY = 0xec, STATUS_ERROR = 0x01 };

struct link {
    int socket, index, mtu;
    uint8_t mac[6];
    uint8_t *ring;
    unsigned stride, slots, next;
};

static void give_up(const char *what) {
    perror(what);
    exit(2);
}

static void must(int outcome, const char *what) {
    if (outcome < 0)
        give_up(what);
}

static void open_ring(struct link *link) {
    int version = TPACKET_V2;
    bool jumbo = link->mtu > 1900;
    link->stride = jumbo ? 16384 : 2048;
    link->slots = jumbo ? 1024 : 4096;
    unsigned bytes = link->stride * link->slots, block = 1 << 20;
    struct tpacket_req wanted = {block, bytes / block, link->stride, link->slots};
    must(setsockopt(link->socket, SOL_PACKET, PACKET_VERSION, &version, sizeof version), "PACKET_VERSION");
    must(setsockopt(link->socket, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted), "PACKET_RX_RING");
    link->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, link->socket, 0);
    if (link->ring == MAP_FAILED)
        give_up("mmap of the ring");
}

static void open_link(struct link *link, const char *interface) {
    struct ifreq asked = {0};
    int on = 1, room = 32 << 20;
    strncpy(asked.ifr_name, interface, IFNAMSIZ - 1);
    must(link->socket = socket(AF_PACKET, SOCK_RAW, 0), "packet socket");
    must(ioctl(link->socket, SIOCGIFHWADDR, &asked), interface);
    memcpy(link->mac, asked.ifr_hwaddr.sa_data, 6);
    must(ioctl(link->socket, SIOCGIFMTU, &asked), interface);
    link->mtu = asked.ifr_mtu;
    must(ioctl(link->socket, SIOCGIFINDEX, &asked), interface);
    link->index = asked.ifr_ifindex;
    open_ring(link);
    must(setsockopt(link->socket, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on), "PACKET_QDISC_BYPASS");
    must(setsockopt(link->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on), "PACKET_IGNORE_OUTGOING");
    setsockopt(link->socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room); /* refused in a user namespace: slower, not wrong */
    struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(AOE), .sll_ifindex = link->index};
    must(bind(link->socket, (void *)&here, sizeof here), "bind");
}

/* The next frame and its length, or NULL if none has come. It stays valid until `give_back`. */
static uint8_t *next_frame(struct link *link, unsigned *length) {
    struct tpacket2_hdr *slot = (void *)(link->ring + (size_t)link->next * link->stride);
    if (!(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
        return NULL;
    *length = slot->tp_snaplen;
    return (uint8_t *)slot + slot->tp_mac;
}

static void give_back(struct link *link) {
    struct tpacket2_hdr *slot = (void *)(link->ring + (size_t)link->next * link->stride);
    __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    link->next = link->next + 1 == link->slots ? 0 : link->next + 1;
}

static void wait_for_frames(struct link *link, int milliseconds) {
    struct pollfd one = {link->socket, POLLIN, 0};
    poll(&one, 1, milliseconds);
}

static void send_all(struct link *link, struct mmsghdr *messages, unsigned count) {
    while (count) {
        int sent = sendmmsg(link->socket, messages, count, 0);
        if (sent < 0 && (errno == ENOBUFS || errno == EAGAIN))
            return; /* lost on the way, as far as anyone can tell: asked for again later */
        must(sent, "sendmmsg");
        messages += sent;
        count -= sent;
    }
}
