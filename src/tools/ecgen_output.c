/*-------------------------------------------------------------------------
 *
 * ecgen_output.c
 *	  One big buffer in front of the output file.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

#define BUFFER_SIZE ((size_t) 1 << 20)

void
ec_output_open(EcOutput *out, const char *path)
{
	memset(out, 0, sizeof(*out));
	if (path == NULL || strcmp(path, "-") == 0)
	{
		out->file = stdout;
		out->name = "standard output";
	}
	else
	{
		out->file = fopen(path, "wb");
		out->name = path;
		if (out->file == NULL)
			ec_fail("could not create \"%s\": %s", path, strerror(errno));
	}
	setvbuf(out->file, NULL, _IONBF, 0);
	out->size = BUFFER_SIZE;
	out->buffer = ec_alloc(out->size);
}

void
ec_output_flush(EcOutput *out)
{
	if (out->used > 0 && fwrite(out->buffer, 1, out->used, out->file) != out->used)
		ec_fail("could not write to %s: %s", out->name, strerror(errno));
	out->written += out->used;
	out->used = 0;
}

void
ec_output_bytes(EcOutput *out, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len > 0)
	{
		size_t room = out->size - out->used;
		size_t part = len < room ? len : room;

		memcpy(out->buffer + out->used, from, part);
		out->used += part;
		from += part;
		len -= part;
		if (out->used == out->size)
			ec_output_flush(out);
	}
}

/* fclose() may report what write() did not (a full disk, say). */
void
ec_output_close(EcOutput *out)
{
	ec_output_flush(out);
	if (fclose(out->file) != 0)
		ec_fail("could not write to %s: %s", out->name, strerror(errno));
	free(out->buffer);
	out->buffer = NULL;
}
