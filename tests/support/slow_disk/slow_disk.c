/* slow_disk MOUNT_POINT MEDIUM cached|direct|writeback READAHEAD
 *
 * Mounts, over the file MOUNT_POINT, a file whose content is that of the file MEDIUM, and whose reads, writes and flushes take as
 * long as they are told to: a server of the kernel's FUSE protocol (include/uapi/linux/fuse.h) whose root is that one file.
 * One thread holds every request until it is due; whoever waits costs it nothing. What is read or written is taken from or put
 * on the medium when the answer is due, so the order in which requests come out is the order in which they were done.
 *
 * cached: the kernel's page cache stands before it, and a write waits for its answer. direct: nothing is cached, and writes of
 * one file run side by side. writeback: writes stay in the page cache until they are flushed. READAHEAD is in bytes.
 *
 * Each line on stdin gets one on stdout. KINDs are read, write and fsync; no KIND means all.
 *   latency NANOSECONDS [KIND...]   what comes from now on takes at least so long
 *   stall [KIND...]                 nothing is answered
 *   go [KIND...]                    what is due is answered, in order of arrival, and so is all that comes
 *   turn                            all that is under way is answered now, the newest first, stalled or not
 *   fail ERRNO COUNT [KIND...]      the next COUNT answers are this error, and nothing is done
 *   counts                          says what was answered: READS WRITES FSYNCS, how many are under way, and most so far at once
 * At the end of stdin, at SIGTERM and after PATIENCE seconds of a stall the disk is gone: whoever waits for it gets an error.
 * SIGKILL does that too, but leaves a dead mount.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { READ, WRITE, FSYNC, OPEN, KINDS, ALL = (1 << KINDS) - 1, IO = (1 << OPEN) - 1 };
enum { MAX_PAGES = 256, MAX_DATA = MAX_PAGES * 4096, ROOM = MAX_DATA + 4096, TURN = 64, PATIENCE = 120 };
static const long long SECOND = 1000000000, FOREVER = INT64_MAX;

struct request {
	struct request *next, *previous;
	unsigned long long number, unique, offset;
	long long due;
	unsigned size;
	char data[]; /* of a write */
};

static struct kind {
	const char *name;
	struct request *first, *last; /* by when they are due */
	long long latency;
	bool stalled;
	int error, errors_left;
	unsigned long answered;
} kinds[KINDS] = {{.name = "read"}, {.name = "write"}, {.name = "fsync"}, {.name = "open"}};

static int fuse, medium;
static bool direct, writeback, ready;
static unsigned read_ahead;
static volatile sig_atomic_t ended;
static unsigned long long arrived;
static unsigned under_way, most_under_way;
static char incoming[ROOM], outgoing[MAX_DATA];

static void need(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- answers */

static void answer(unsigned long long unique, int error, const void *data, size_t size)
{
	struct fuse_out_header header = {sizeof header + (error ? 0 : size), -error, unique};
	struct iovec parts[] = {{&header, sizeof header}, {(void *)data, size}};
	/* ENOENT: nobody waits for it any more */
	need(writev(fuse, parts, error ? 1 : 2) >= 0 || errno == ENOENT || errno == ENODEV, "an answer to the kernel");
}

static void answer_init(const struct fuse_in_header *header, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < FUSE_KERNEL_MINOR_VERSION ? in->minor : FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = read_ahead,
		.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES | (writeback ? FUSE_WRITEBACK_CACHE : 0),
		.max_background = 4096, /* by default only 12 of the requests that nobody waits for run at once */
		.congestion_threshold = 4096,
		.max_write = MAX_DATA,
		.time_gran = 1,
		.max_pages = MAX_PAGES,
	};
	answer(header->unique, 0, &out, sizeof out);
	ready = true;
}

static void answer_attributes(unsigned long long unique)
{
	struct stat status;
	need(fstat(medium, &status) == 0, "the medium");
	struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = {.ino = FUSE_ROOT_ID, .mode = S_IFREG | 0600, .nlink = 1, .blksize = 4096},
	};
	out.attr.size = status.st_size;
	out.attr.blocks = status.st_blocks;
	answer(unique, 0, &out, sizeof out);
}

static void answer_open(unsigned long long unique)
{
	/* without the NOFLUSH a close(2) asks, and fails once the disk is gone */
	struct fuse_open_out out = {.open_flags = FOPEN_NOFLUSH};
	out.open_flags |= direct ? FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES : FOPEN_KEEP_CACHE;
	answer(unique, 0, &out, sizeof out);
}

static void answer_room(unsigned long long unique)
{
	struct fuse_statfs_out out = {{.blocks = 1 << 20, .bfree = 1 << 20, .bavail = 1 << 20, .bsize = 4096, .frsize = 4096}};
	answer(unique, 0, &out, sizeof out);
}

static void change_attributes(const struct fuse_in_header *header, const struct fuse_setattr_in *in)
{
	if (in->valid & FATTR_SIZE && ftruncate(medium, in->size))
		answer(header->unique, errno, NULL, 0);
	else
		answer_attributes(header->unique);
}

/* ---- what takes its time */

static void carry_out(struct kind *kind, struct request *request)
{
	struct fuse_write_out out = {request->size, 0};
	if (kind->errors_left) {
		kind->errors_left--;
		answer(request->unique, kind->error, NULL, 0);
	} else if (kind == &kinds[READ]) {
		ssize_t size = pread(medium, outgoing, request->size, request->offset);
		answer(request->unique, size < 0 ? errno : 0, outgoing, size < 0 ? 0 : size);
	} else if (kind == &kinds[WRITE]) {
		ssize_t size = pwrite(medium, request->data, request->size, request->offset);
		answer(request->unique, size == (ssize_t)request->size ? 0 : size < 0 ? errno : ENOSPC, &out, sizeof out);
	} else if (kind == &kinds[OPEN]) {
		answer_open(request->unique);
	} else {
		answer(request->unique, 0, NULL, 0);
	}
	kind->answered++;
}

static void finish(struct kind *kind, struct request *request)
{
	*(request->previous ? &request->previous->next : &kind->first) = request->next;
	*(request->next ? &request->next->previous : &kind->last) = request->previous;
	under_way--;
	carry_out(kind, request);
	free(request);
}

static void begin(struct kind *kind, unsigned long long unique, unsigned long long offset, unsigned size, const char *data)
{
	struct request *request = malloc(sizeof *request + (data ? size : 0));
	need(request != NULL, "memory");
	*request = (struct request){.number = arrived++, .unique = unique, .offset = offset, .due = now() + kind->latency, .size = size};
	if (data)
		memcpy(request->data, data, size);
	struct request *before = kind->last;
	while (before && before->due > request->due) /* the latency was made shorter */
		before = before->previous;
	request->previous = before;
	request->next = before ? before->next : kind->first;
	*(before ? &before->next : &kind->first) = request;
	*(request->next ? &request->next->previous : &kind->last) = request;
	if (++under_way > most_under_way)
		most_under_way = under_way;
}

/* The kind whose first request is due before all others that may be answered. */
static struct kind *next_due(void)
{
	struct kind *found = NULL;
	for (struct kind *each = kinds; each < kinds + KINDS; each++)
		if (!each->stalled && each->first && (!found || each->first->due < found->first->due))
			found = each;
	return found;
}

/* Answer what is due; nanoseconds until something is. */
static long long answer_due(void)
{
	long long time = now();
	for (struct kind *kind; (kind = next_due());) {
		if (kind->first->due > time && kind->first->due > (time = now()))
			return kind->first->due - time;
		finish(kind, kind->first);
	}
	return FOREVER;
}

static void turn(void)
{
	while (under_way) {
		struct kind *newest_of = NULL;
		struct request *newest = NULL;
		for (struct kind *kind = kinds; kind < kinds + KINDS; kind++)
			for (struct request *each = kind->last; each; each = each->previous)
				if (!newest || each->number > newest->number) {
					newest = each;
					newest_of = kind;
				}
		finish(newest_of, newest);
	}
}

/* ---- what the kernel asks */

static void serve(const struct fuse_in_header *header)
{
	const void *argument = header + 1;
	const struct fuse_read_in *read_in = argument;
	const struct fuse_write_in *write_in = argument;
	switch (header->opcode) {
	case FUSE_INIT: answer_init(header, argument); break;
	case FUSE_GETATTR: answer_attributes(header->unique); break;
	case FUSE_SETATTR: change_attributes(header, argument); break;
	case FUSE_OPEN: begin(&kinds[OPEN], header->unique, 0, 0, NULL); break;
	case FUSE_STATFS: answer_room(header->unique); break;
	case FUSE_RELEASE: answer(header->unique, 0, NULL, 0); break;
	case FUSE_READ: begin(&kinds[READ], header->unique, read_in->offset, read_in->size, NULL); break;
	case FUSE_WRITE: begin(&kinds[WRITE], header->unique, write_in->offset, write_in->size, (const char *)(write_in + 1)); break;
	case FUSE_FSYNC: begin(&kinds[FSYNC], header->unique, 0, 0, NULL); break;
	case FUSE_FORGET: case FUSE_BATCH_FORGET: case FUSE_INTERRUPT: break; /* these want no answer */
	default: answer(header->unique, ENOSYS, NULL, 0);
	}
}

/* Take what the kernel has for us, some at a time, lest what is due meanwhile should wait. False: the mount is gone. */
static bool take(void)
{
	for (int count = 0; count < TURN; count++) {
		if (read(fuse, incoming, sizeof incoming) >= 0)
			serve((struct fuse_in_header *)incoming);
		else if (errno == ENODEV)
			return false;
		else if (errno == EAGAIN)
			break;
		else
			need(errno == EINTR || errno == ENOENT, "the kernel's requests");
	}
	return true;
}

/* ---- what a test asks */

/* Who waits for a disk cannot be killed, and may be the one who should say `go`: no stall is for ever. */
static void be_patient(void)
{
	bool stalled = false;
	for (struct kind *each = kinds; each < kinds + KINDS; each++)
		stalled |= each->stalled;
	alarm(stalled ? PATIENCE : 0);
}

static int named(char *words)
{
	int found = 0;
	for (char *word = strtok(words, " \n"); word; word = strtok(NULL, " \n"))
		for (int kind = 0; kind < KINDS; kind++)
			if (!strcmp(word, kinds[kind].name))
				found |= 1 << kind;
	return found;
}

static void command(char *line)
{
	char verb[16] = "";
	long long first = 0, second = 0;
	sscanf(line, "%15s %lld %lld", verb, &first, &second);
	int which = named(line);
	if (!which)
		which = strcmp(verb, "go") ? IO : ALL;
	for (int at = 0; at < KINDS; at++) {
		struct kind *kind = &kinds[at];
		if (!(which & 1 << at))
			continue;
		if (!strcmp(verb, "latency"))
			kind->latency = first;
		else if (!strcmp(verb, "stall") || !strcmp(verb, "go"))
			kind->stalled = *verb == 's';
		else if (!strcmp(verb, "fail"))
			kind->error = first, kind->errors_left = second;
	}
	be_patient();
	if (!strcmp(verb, "turn"))
		turn();
	dprintf(1, "%lu %lu %lu %u %u\n", kinds[READ].answered, kinds[WRITE].answered, kinds[FSYNC].answered, under_way, most_under_way);
}

/* False at the end of stdin. */
static bool obey(void)
{
	char line[256] = "";
	ssize_t size = read(0, line, sizeof line - 1);
	if (size > 0)
		command(line);
	return size > 0;
}

/* ---- the whole */

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

/* Let a signal end us where we wait, and nowhere else. */
static void block(int number)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, number);
	sigprocmask(SIG_BLOCK, &one, NULL);
	signal(number, end);
}

static void run(void)
{
	struct pollfd polled[] = {{fuse, POLLIN, 0}, {0, POLLIN, 0}};
	bool told = false;
	sigset_t none;
	sigemptyset(&none);
	for (;;) {
		long long wait = answer_due();
		struct timespec limit = {wait / SECOND, wait % SECOND};
		need(ppoll(polled, 2, wait == FOREVER ? NULL : &limit, &none) >= 0 || errno == EINTR, "ppoll");
		if (ended)
			return;
		if (polled[1].revents && !obey())
			return;
		if (polled[0].revents && !take())
			return;
		if (ready && !told)
			told = dprintf(1, "ready\n") > 0;
	}
}

int main(int count, char **arguments)
{
	errno = EINVAL;
	need(count == 5, "usage: slow_disk MOUNT_POINT MEDIUM cached|direct|writeback READAHEAD");
	direct = !strcmp(arguments[3], "direct");
	writeback = !strcmp(arguments[3], "writeback");
	read_ahead = strtoul(arguments[4], NULL, 10);
	prctl(PR_SET_TIMERSLACK, 1);
	block(SIGALRM);
	block(SIGTERM);
	signal(SIGPIPE, SIG_IGN); /* who dies before it is answered leaves us to unmount */
	need((medium = open(arguments[2], O_RDWR | O_CLOEXEC)) >= 0, arguments[2]);
	need((fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)) >= 0, "/dev/fuse");
	char options[128];
	snprintf(options, sizeof options, "fd=%d,rootmode=100600,user_id=0,group_id=0,allow_other", fuse);
	need(mount("slow_disk", arguments[1], "fuse.slow_disk", MS_NOSUID | MS_NODEV, options) == 0, "mount");
	run();
	close(fuse); /* first: to unmount may wait for answers that only we can give */
	umount2(arguments[1], MNT_DETACH);
	return 0;
}
