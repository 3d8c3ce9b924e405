/*
 * rowparse.h
 *	  From the text of fields to typed column values.  Pure C, shared by all row
 *	  formats (CSV; JSON); rowparse_server.h makes the column list from a table.
 *
 * The rule is COPY's: the column type's input function decides what a text means.
 * Common spellings of common types are parsed here, with the same outcome;
 * everything else is handed to "input", which calls that function.  Without an
 * input callback (stand-alone tests) such a field is a fault.
 *
 * A fault concerns one row and never its neighbours.
 */
#ifndef EC_ROWPARSE_H
#define EC_ROWPARSE_H

#include "vector/builder.h"

typedef enum EcFieldType
{
	EC_FIELD_BOOL = 1,
	EC_FIELD_INT,	  /* int2, int4, int8: min .. max */
	EC_FIELD_DECIMAL, /* numeric(precision, scale), precision <= 18 */
	EC_FIELD_FLOAT4,
	EC_FIELD_FLOAT8,
	EC_FIELD_DATE,
	EC_FIELD_TIMESTAMP,
	EC_FIELD_TIMESTAMPTZ,
	EC_FIELD_TEXT, /* text; varchar(max_chars); char(max_chars) */
	EC_FIELD_UUID,
	EC_FIELD_NUMERIC, /* numeric without limits, as PostgreSQL stores it */
	EC_FIELD_OTHER	  /* always by the input callback */
} EcFieldType;

/* Why a row is refused; ec_fault_reason() gives the word for dead_letters.reason. */
typedef enum EcFaultCode
{
	EC_FAULT_FIELD_COUNT = 1, /* too few or too many fields */
	EC_FAULT_OPEN_QUOTE,	  /* a quoted field has no end */
	EC_FAULT_BAD_QUOTE,		  /* a quote inside an unquoted field, or text after a closing one */
	EC_FAULT_BAD_LINE_END,	  /* a carriage return that ends no line */
	EC_FAULT_ENCODING,		  /* not valid in the database encoding */
	EC_FAULT_NUL_BYTE,
	EC_FAULT_SYNTAX, /* text is no value of the column's type */
	EC_FAULT_RANGE,	 /* value is out of the column's range */
	EC_FAULT_TOO_LONG,
	EC_FAULT_NOT_NULL,
	EC_FAULT_HEADER,	/* header expected, but the line names no column */
	EC_FAULT_TYPE_INPUT /* any other error of the type's input function (domain checks ...) */
} EcFaultCode;

extern const char *ec_fault_reason(EcFaultCode code);

#define EC_FAULT_TEXT_LEN 256

typedef struct EcRowFault
{
	EcFaultCode code;
	uint32_t row;	/* data rows (good and faulty) of the message count from 1 */
	uint32_t line;	/* physical line where the row begins, from 1 */
	uint32_t begin; /* the row's raw text is bytes [begin, end) of the message */
	uint32_t end;	/* (without the line's end) */
	int column;		/* index into the column list, -1: the row as such */
	char
		text[EC_FAULT_TEXT_LEN]; /* what is wrong, NUL-terminated, valid in the database encoding */
} EcRowFault;

/* The value of a field that the input callback parsed; which member counts follows from the builder's class. */
typedef struct EcFieldValue
{
	int64_t i64;
	EcBytes bytes; /* must stay valid until the feeding call returns */
	EcUuid uuid;
	bool isnull;
} EcFieldValue;

struct EcRowColumn;

/*
 * Parses one field by the type's input function.  text is NUL-terminated.
 * Returns false, with fault->code and fault->text set, if it is refused; never
 * leaves by an error because of the text.
 */
typedef bool (*EcFieldInput)(void *arg, const struct EcRowColumn *col, const char *text,
							 uint32_t len, EcFieldValue *out, EcRowFault *fault);

typedef struct EcRowColumn
{
	const char *name;	   /* NUL-terminated; kept by reference */
	const char *type_name; /* for messages: "bigint" */
	int target;			   /* index of its builder in the array given to the feeding call */
	EcFieldType type;
	EcPhys phys;	  /* of its builder */
	bool not_null;	  /* a NULL is a fault */
	bool utc_default; /* timestamptz: a text without zone is UTC */
	int64_t min;	  /* INT */
	int64_t max;
	int32_t
		precision; /* DECIMAL; for the time types: digits of the fraction kept, 6 if not limited */
	int32_t scale; /* DECIMAL */
	int32_t max_chars;	/* TEXT; 0: no limit */
	bool pad;			/* TEXT: with blanks up to max_chars */
	bool verbatim;		/* TEXT: bytes of any kind (the binary format's bytea) */
	EcFieldInput input; /* may be NULL */
	void *input_arg;
} EcRowColumn;

/* Where a good row came from. */
typedef struct EcRowRef
{
	uint32_t row; /* as in EcRowFault */
	uint32_t begin;
	uint32_t end;
} EcRowRef;

#endif /* EC_ROWPARSE_H */
