/*
 * format.c
 *	  A stream's format options; see format.h.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "ingest/format.h"

static void
bad_value(const char *key, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for stream option \"%s\"", key), errhint("%s", hint)));
}

static char
one_byte(const char *key, const JsonbValue *value, bool may_be_empty)
{
	if (value->type != jbvString || value->val.string.len > 1 ||
		(value->val.string.len == 0 && !may_be_empty) ||
		(value->val.string.len == 1 && IS_HIGHBIT_SET(value->val.string.val[0])))
		bad_value(key, "It must be one ASCII character.");
	return value->val.string.len == 0 ? '\0' : value->val.string.val[0];
}

static bool
is_word(const JsonbValue *value, const char *word)
{
	return value->type == jbvString && value->val.string.len == strlen(word) &&
		   strncmp(value->val.string.val, word, value->val.string.len) == 0;
}

static EcCsvHeader
parse_header(const JsonbValue *value)
{
	if (is_word(value, "auto"))
		return EC_CSV_HEADER_AUTO;
	if (value->type != jbvBool)
		bad_value("header", "It must be \"auto\", true or false.");
	return value->val.boolean ? EC_CSV_HEADER_PRESENT : EC_CSV_HEADER_ABSENT;
}

static void
parse_columns(EcFormat *format, const JsonbValue *value)
{
	const char *hint = "It must be an array of names of columns.";
	JsonbContainer *array = value->val.binary.data;

	if (value->type != jbvBinary || !JsonContainerIsArray(array) || JsonContainerSize(array) == 0)
		bad_value("columns", hint);
	format->ncolumns = JsonContainerSize(array);
	format->columns = palloc(sizeof(char *) * format->ncolumns);
	for (int i = 0; i < format->ncolumns; i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(array, i);

		if (name->type != jbvString)
			bad_value("columns", hint);
		format->columns[i] = pnstrdup(name->val.string.val, name->val.string.len);
	}
}

static void
parse_option(EcFormat *format, const char *key, const JsonbValue *value)
{
	if (strcmp(key, "header") == 0)
		format->csv.header = parse_header(value);
	else if (strcmp(key, "delimiter") == 0)
		format->csv.delimiter = one_byte(key, value, false);
	else if (strcmp(key, "quote") == 0)
		format->csv.quote = one_byte(key, value, true);
	else if (strcmp(key, "columns") == 0)
		parse_columns(format, value);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown stream option \"%s\"", key),
				 errhint("Options of format \"csv\" are header, delimiter, quote and columns.")));
}

EcFormat *
ec_format_parse(const char *options)
{
	Jsonb *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(options)));
	EcFormat *format = palloc0(sizeof(EcFormat));
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue v;
	char *key = NULL;
	const char *wrong;

	ec_csv_options_init(&format->csv);
	if (!JB_ROOT_IS_OBJECT(jsonb))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("stream options must be a JSON object")));
	it = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(v.val.string.val, v.val.string.len);
		else if (token == WJB_VALUE)
			parse_option(format, key, &v);
	}
	wrong = ec_csv_options_check(&format->csv);
	if (wrong != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid stream options: %s", wrong)));
	return format;
}
