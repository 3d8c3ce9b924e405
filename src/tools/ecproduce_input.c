/*-------------------------------------------------------------------------
 *
 * ecproduce_input.c
 *	  A file, standard input or either of them gzipped, as a window of bytes.
 *
 * ec_input_fill() makes the window at least as long as wanted, unless the
 * input ends, or is a pipe that stays silent for a second; ec_input_skip()
 * moves its start.  A UTF-8 byte order mark at the start is dropped.  gzip is
 * recognised by its first bytes, members may follow one another.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/ecproduce.h"

#define READ_SIZE ((size_t) 1 << 20)
#define IDLE_MS 1000

struct EcInput
{
	int fd;
	const char *name;
	const char *error;
	bool gzip;
	bool raw_eof; /* nothing more to read */
	bool eof;	  /* nothing more to come into the window */
	bool started;
	bool live; /* a pipe or terminal: more may take its time */
	char *window;
	size_t size;
	size_t start;
	size_t end;
	uint64_t offset;	 /* of the window's start in the CSV */
	uint64_t raw_offset; /* bytes read from the file */
	unsigned char *raw;	 /* compressed bytes */
	size_t raw_start;
	size_t raw_end;
	bool in_member;
	z_stream z;
};

static ssize_t
read_some(EcInput *in, void *to, size_t size)
{
	ssize_t n;

	do
		n = read(in->fd, to, size);
	while (n < 0 && errno == EINTR && ec_stop_signal == 0);
	if (n < 0)
	{
		/* an interruption is no failure: the caller looks at the signal */
		if (errno != EINTR)
			in->error = strerror(errno);
		in->raw_eof = true;
		return 0;
	}
	if (n == 0)
		in->raw_eof = true;
	in->raw_offset += (uint64_t) n;
	return n;
}

/* The first bytes tell gzip from text. */
static void
sniff(EcInput *in)
{
	while (in->raw_end < 2 && !in->raw_eof)
		in->raw_end += (size_t) read_some(in, in->raw + in->raw_end, READ_SIZE - in->raw_end);
	if (in->raw_end < 2 || in->raw[0] != 0x1f || in->raw[1] != 0x8b)
		return;
	in->gzip = true;
	if (inflateInit2(&in->z, 15 + 16) != Z_OK)
		ec_die("out of memory");
	in->in_member = true;
}

EcInput *
ec_input_open(const char *path)
{
	EcInput *in = ec_malloc(sizeof(*in));
	struct stat st;

	memset(in, 0, sizeof(*in));
	in->name = path;
	if (strcmp(path, "-") == 0)
	{
		in->fd = STDIN_FILENO;
		in->name = "standard input";
	}
	else
	{
		in->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (in->fd < 0)
		{
			ec_error("could not open \"%s\": %s", path, strerror(errno));
			free(in);
			return NULL;
		}
#ifdef POSIX_FADV_SEQUENTIAL
		posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
	}
	in->live = fstat(in->fd, &st) != 0 || !S_ISREG(st.st_mode);
	in->raw = ec_malloc(READ_SIZE);
	sniff(in);
	return in;
}

/* The next gzip member, if one follows; zeros after the last are padding. */
static void
next_member(EcInput *in)
{
	while (in->raw_start < in->raw_end && in->raw[in->raw_start] == 0)
		in->raw_start++;
	if (in->raw_start == in->raw_end)
		return;
	inflateReset(&in->z);
	in->in_member = true;
}

static void
inflate_some(EcInput *in)
{
	int rc;

	if (in->raw_start == in->raw_end)
	{
		in->raw_start = 0;
		in->raw_end = (size_t) read_some(in, in->raw, READ_SIZE);
		if (in->raw_end == 0)
		{
			if (in->in_member && in->error == NULL && ec_stop_signal == 0)
				in->error = "the gzip data ends too early";
			in->eof = true;
			return;
		}
	}
	if (!in->in_member)
	{
		next_member(in);
		return;
	}
	in->z.next_in = in->raw + in->raw_start;
	in->z.avail_in = (uInt) (in->raw_end - in->raw_start);
	in->z.next_out = (unsigned char *) in->window + in->end;
	in->z.avail_out = (uInt) (in->size - in->end);
	rc = inflate(&in->z, Z_NO_FLUSH);
	in->raw_start = in->raw_end - in->z.avail_in;
	in->end = in->size - in->z.avail_out;
	if (rc == Z_STREAM_END)
		in->in_member = false;
	else if (rc != Z_OK)
	{
		in->error = in->z.msg ? in->z.msg : "the gzip data is damaged";
		in->eof = true;
	}
}

static void
read_text(EcInput *in)
{
	if (in->raw_start < in->raw_end)
	{
		memcpy(in->window + in->end, in->raw, in->raw_end);
		in->end += in->raw_end;
		in->raw_start = in->raw_end;
		return;
	}
	in->end += (size_t) read_some(in, in->window + in->end, in->size - in->end);
	in->eof = in->raw_eof;
}

static void
skip_byte_order_mark(EcInput *in)
{
	in->started = true;
	if (in->end - in->start >= 3 && memcmp(in->window + in->start, "\xef\xbb\xbf", 3) == 0)
		ec_input_skip(in, 3);
}

/* Has a live input been silent for a second?  (Never true of files.) */
static bool
idle(EcInput *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	if (!in->live || in->raw_start < in->raw_end || in->raw_eof)
		return false;
	return poll(&p, 1, IDLE_MS) <= 0;
}

/* False: the input could not be read (what was read before it is in the window). */
bool
ec_input_fill(EcInput *in, size_t wanted)
{
	if (wanted < 3)
		wanted = 3;
	if (in->end - in->start < wanted && !in->eof)
	{
		if (in->start > 0)
			memmove(in->window, in->window + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
		if (in->size < wanted + 4 * READ_SIZE)
		{
			in->size = wanted + 4 * READ_SIZE;
			in->window = ec_realloc(in->window, in->size);
		}
	}
	while (in->end - in->start < wanted && !in->eof && ec_stop_signal == 0)
	{
		if (idle(in))
			break;
		if (in->gzip)
			inflate_some(in);
		else
			read_text(in);
	}
	if (!in->started && (in->eof || in->end - in->start >= 3))
		skip_byte_order_mark(in);
	return in->error == NULL;
}

const char *
ec_input_data(const EcInput *in, size_t *len, bool *eof)
{
	*len = in->end - in->start;
	*eof = in->eof;
	return in->window + in->start;
}

void
ec_input_skip(EcInput *in, size_t len)
{
	in->start += len;
	in->offset += len;
}

uint64_t
ec_input_offset(const EcInput *in)
{
	return in->offset;
}

/* How far in the file: what was read, less what waits. */
uint64_t
ec_input_raw_offset(const EcInput *in)
{
	uint64_t waiting = in->gzip ? in->raw_end - in->raw_start : in->end - in->start;

	return in->raw_offset > waiting ? in->raw_offset - waiting : 0;
}

const char *
ec_input_error(const EcInput *in)
{
	return in->error;
}

const char *
ec_input_name(const EcInput *in)
{
	return in->name;
}

void
ec_input_close(EcInput *in)
{
	if (in->gzip)
		inflateEnd(&in->z);
	if (in->fd != STDIN_FILENO)
		close(in->fd);
	free(in->raw);
	free(in->window);
	free(in);
}
