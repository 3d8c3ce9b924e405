/*
 * copy_source.c
 *	  The bytes of a COPY ... FROM: read from a file or from the client, and looked
 *	  at just enough to tell where rows end and which lines core must see.
 *
 * Rows are delimited as core's COPY does it: a quote anywhere toggles, unless an
 * escape stands before it, and a newline outside of quotes ends the row; in the text format, a newline without a
 * backslash before it does.  How lines end was found by core, which reads the first
 * piece; any other carriage return makes a line odd.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "miscadmin.h"

#include "base/compat.h"
#include "ingest/copy.h"
#include "ingest/rowbinary.h"

/* Beyond this a row is core's. */
#define BUFFER_MAX ((size_t) 64 * 1024 * 1024)
#define READ_AT_ONCE ((size_t) 256 * 1024)

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

static void
make_room(EcCopySource *source, size_t room)
{
	if (source->begin > 0)
	{
		memmove(source->data, source->data + source->begin, source->end_at - source->begin);
		source->end_at -= source->begin;
		source->begin = 0;
	}
	if (source->end_at + room <= source->size)
		return;
	source->size = Max(source->size * 2, source->end_at + room);
	source->data =
		source->data == NULL ? palloc(source->size) : repalloc_huge(source->data, source->size);
}

static void
read_file(EcCopySource *source)
{
	size_t n;

	make_room(source, READ_AT_ONCE);
	n = fread(source->data + source->end_at, 1, READ_AT_ONCE, source->file);
	source->end_at += n;
	if (n > 0)
		return;
	source->end = ferror(source->file) ? EC_COPY_READ_ERROR : EC_COPY_EOF;
	source->error = errno;
}

/* Takes the next message off the wire; false if the input has ended. */
static bool
get_message(EcCopySource *source, int *type)
{
	int limit = EC_COMPAT_SMALL_MESSAGE;

	HOLD_CANCEL_INTERRUPTS();
	pq_startmsgread();
	*type = pq_getbyte();
	if (*type == 'd')
		limit = EC_COMPAT_LARGE_MESSAGE;
	else if (*type != EOF && strchr("cfHS", *type) == NULL)
		source->end = EC_COPY_BAD_MESSAGE;
	source->error = *type;
	if (*type == EOF || (source->end == EC_COPY_MORE && pq_getmessage(source->message, limit)))
		source->end = EC_COPY_LOST;
	RESUME_CANCEL_INTERRUPTS();
	return source->end == EC_COPY_MORE;
}

static void
read_client(EcCopySource *source)
{
	StringInfo message = source->message;
	int type;

	if (!get_message(source, &type))
		return;
	if (type == 'd')
	{
		make_room(source, message->len);
		memcpy(source->data + source->end_at, message->data, message->len);
		source->end_at += message->len;
	}
	else if (type == 'c')
		source->end = EC_COPY_EOF;
	else if (type == 'f')
	{
		source->failure = pstrdup(pq_getmsgstring(message));
		source->end = EC_COPY_CLIENT_FAILED;
	}
	/* Flush and Sync mean nothing here */
}

static void
read_some(EcCopySource *source)
{
	CHECK_FOR_INTERRUPTS();
	if (source->file != NULL)
		read_file(source);
	else
		read_client(source);
}

bool
ec_copy_fill(EcCopySource *source, size_t want)
{
	while (source->end_at - source->begin < want && source->end == EC_COPY_MORE)
	{
		if (source->end_at - source->begin > BUFFER_MAX)
			return false;
		read_some(source);
	}
	return true;
}

void
ec_copy_take(EcCopySource *source, size_t len)
{
	source->begin += len;
	source->taken += len;
}

void
ec_copy_check_end(const EcCopySource *source)
{
	switch (source->end)
	{
		case EC_COPY_MORE:
		case EC_COPY_EOF:
			break;
		case EC_COPY_READ_ERROR:
			errno = source->error;
			ereport(ERROR,
					(errcode_for_file_access(), errmsg("could not read from COPY file: %m")));
			break;
		case EC_COPY_LOST:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("unexpected EOF on client connection with an open transaction")));
			break;
		case EC_COPY_CLIENT_FAILED:
			ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
							errmsg("COPY from stdin failed: %s", source->failure)));
			break;
		case EC_COPY_BAD_MESSAGE:
			ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
							errmsg("unexpected message type 0x%02X during COPY from stdin",
								   (unsigned) source->error)));
			break;
	}
}

void
ec_copy_drain(EcCopySource *source)
{
	while (source->file == NULL && source->end == EC_COPY_MORE)
	{
		source->begin = source->end_at;
		read_some(source);
	}
	if (source->file == NULL)
		ec_copy_check_end(source);
}

/* ------------------------------------------------------------------------
 * Lines
 * ------------------------------------------------------------------------
 */

/* Has the line, of which "end" is the newline or the input's end, the ending of all others? */
static bool
ends_plainly(const EcCopySource *source, const char *line, const char *end, bool newline)
{
	if (!source->crlf || !newline)
		return memchr(line, '\r', end - line) == NULL;
	return end > line && end[-1] == '\r' && memchr(line, '\r', end - line - 1) == NULL;
}

/* Escapes count between quotes only, and not behind one that counts. */
static bool
ends_in_escaped_quotes(const EcCopySource *source, const char *line, const char *end, bool quoted)
{
	bool escaped = false;

	for (; line < end; line++)
	{
		if (*line == source->escape)
		{
			escaped = quoted && !escaped;
			continue;
		}
		quoted ^= *line == source->quote && !escaped;
		escaped = false;
	}
	return quoted;
}

/* Is the line's end between quotes?  quoted: its beginning is. */
static bool
ends_in_quotes(const EcCopySource *source, const char *line, const char *end, bool quoted)
{
	const char *quote = memchr(line, source->quote, end - line);

	if (quote != NULL && source->escape != '\0')
		return ends_in_escaped_quotes(source, line, end, quoted);
	while (quote != NULL)
	{
		quoted = !quoted;
		quote = memchr(quote + 1, source->quote, end - (quote + 1));
	}
	return quoted;
}

/*
 * Text format: does a backslash take the newline at "end" along?  *odd is set for
 * those that core has to look at: \. ends the input.
 */
static bool
is_continued(const char *line, const char *end, bool *odd)
{
	while ((line = memchr(line, '\\', end - line)) != NULL)
	{
		if (line + 1 == end)
			return true;
		*odd |= line[1] == '.' || line[1] == '\r';
		line += 2;
	}
	return false;
}

/* Rows of the binary format. */
static void
look_binary(const EcCopySource *source, uint32 max_rows, size_t max_bytes, EcCopyPiece *piece)
{
	size_t size = source->end_at - source->begin;
	bool odd;

	piece->rows = ec_binary_look((const uint8 *) source->data + source->begin, size,
								 source->nfields, max_rows, max_bytes, &piece->len, &odd);
	piece->lines = piece->rows;
	if (odd || (piece->rows == 0 && source->end == EC_COPY_EOF && size > 0))
		piece->next = EC_COPY_END_MARK;
}

void
ec_copy_look(const EcCopySource *source, uint32 max_rows, size_t max_bytes, EcCopyPiece *piece)
{
	const char *start = source->data + source->begin;
	const char *stop = source->data + source->end_at;
	const char *line = start;
	uint64 lines = 0;
	bool quoted = false;

	memset(piece, 0, sizeof(*piece));
	if (source->nfields > 0)
	{
		look_binary(source, max_rows, max_bytes, piece);
		return;
	}
	while (line < stop && piece->rows < max_rows && piece->len < max_bytes)
	{
		const char *newline = memchr(line, '\n', stop - line);
		const char *end = newline != NULL ? newline : stop;

		/* only the input's end is the end of a line without newline */
		if (newline == NULL && source->end != EC_COPY_EOF)
			return;
		if (end - line >= 2 && line[0] == '\\' && line[1] == '.')
			piece->next = EC_COPY_END_MARK;
		else if ((!quoted && (end == line || *line == '\r')) ||
				 !ends_plainly(source, line, end, newline != NULL))
			piece->next = EC_COPY_ODD;
		if (source->text)
		{
			bool odd = false;

			quoted = is_continued(line, end, &odd);
			if (odd)
				piece->next = EC_COPY_END_MARK;
		}
		else
			quoted = ends_in_quotes(source, line, end, quoted);
		if (piece->next != EC_COPY_PLAIN)
			return;
		/* core doesn't count lines that a backslash joins */
		lines += !(quoted && source->text);
		line = newline != NULL ? newline + 1 : stop;
		if (quoted)
			continue;
		piece->rows++;
		piece->lines = lines;
		piece->len = line - start;
	}
	if (quoted && line == stop && source->end == EC_COPY_EOF)
		piece->next = EC_COPY_ODD;
}
