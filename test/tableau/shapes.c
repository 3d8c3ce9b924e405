/*
 * shapes.c
 *	  Runs commands from standard input through an ODBC driver and prints what came:
 *	  shapes CONNECTION-STRING.
 *
 * Commands and output are those of Shapes.java; the calls behind M are ODBC's catalog
 * functions.  The type in a C line is ODBC's number.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sql.h>
#include <sqlext.h>

#define MAX_LINE 65536
#define MAX_VALUE 65536

static SQLHDBC connection;

static void
print_escaped(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (*text == '\\')
			fputs("\\\\", stdout);
		else if (*text == '\t')
			fputs("\\t", stdout);
		else if (*text == '\n')
			fputs("\\n", stdout);
		else
			putchar(*text);
	}
}

/* Print the error of a handle; true if the call failed. */
static int
failed(SQLRETURN result, SQLSMALLINT type, SQLHANDLE handle)
{
	SQLCHAR state[6] = "?????";
	SQLCHAR message[2048] = "";
	SQLINTEGER native;
	SQLSMALLINT length;

	if (SQL_SUCCEEDED(result) || result == SQL_NO_DATA)
		return 0;
	SQLGetDiagRec(type, handle, 1, state, &native, message, sizeof(message), &length);
	printf("E\t%s\t", (char *) state);
	print_escaped((char *) message);
	putchar('\n');
	return 1;
}

static int
print_columns(SQLHSTMT statement, SQLSMALLINT n)
{
	putchar('C');
	for (SQLSMALLINT i = 1; i <= n; i++)
	{
		SQLCHAR name[256];
		SQLSMALLINT length, type, digits, nullable;
		SQLULEN size;

		if (failed(SQLDescribeCol(statement, i, name, sizeof(name), &length, &type, &size, &digits,
								  &nullable),
				   SQL_HANDLE_STMT, statement))
			return 0;
		putchar('\t');
		print_escaped((char *) name);
		printf(":%d", type);
	}
	putchar('\n');
	return 1;
}

static int
print_row(SQLHSTMT statement, SQLSMALLINT n)
{
	static char value[MAX_VALUE];

	putchar('R');
	for (SQLSMALLINT i = 1; i <= n; i++)
	{
		SQLLEN length;

		if (failed(SQLGetData(statement, i, SQL_C_CHAR, value, sizeof(value), &length),
				   SQL_HANDLE_STMT, statement))
			return 0;
		putchar('\t');
		if (length == SQL_NULL_DATA)
			fputs("\\N", stdout);
		else
			print_escaped(value);
	}
	putchar('\n');
	return 1;
}

/* One result: rows, or how many rows were changed. */
static int
print_result(SQLHSTMT statement)
{
	SQLSMALLINT n;
	SQLLEN changed;

	if (failed(SQLNumResultCols(statement, &n), SQL_HANDLE_STMT, statement))
		return 0;
	if (n == 0)
	{
		if (failed(SQLRowCount(statement, &changed), SQL_HANDLE_STMT, statement))
			return 0;
		printf("U\t%ld\n", (long) changed);
		return 1;
	}
	if (!print_columns(statement, n))
		return 0;
	for (;;)
	{
		SQLRETURN result = SQLFetch(statement);

		if (result == SQL_NO_DATA)
			return 1;
		if (failed(result, SQL_HANDLE_STMT, statement) || !print_row(statement, n))
			return 0;
	}
}

static SQLRETURN
call_catalog(SQLHSTMT statement, char *call)
{
	char *name = strtok(call, " ");
	SQLCHAR *schema = (SQLCHAR *) strtok(NULL, " ");
	SQLCHAR *table = (SQLCHAR *) strtok(NULL, " ");

	if (strcmp(name, "schemas") == 0)
		return SQLTables(statement, (SQLCHAR *) "", 0, (SQLCHAR *) SQL_ALL_SCHEMAS, SQL_NTS,
						 (SQLCHAR *) "", 0, (SQLCHAR *) "", 0);
	if (strcmp(name, "types") == 0)
		return SQLTables(statement, (SQLCHAR *) "", 0, (SQLCHAR *) "", 0, (SQLCHAR *) "", 0,
						 (SQLCHAR *) SQL_ALL_TABLE_TYPES, SQL_NTS);
	if (strcmp(name, "tables") == 0)
		return SQLTables(statement, NULL, 0, schema, schema ? SQL_NTS : 0, NULL, 0,
						 (SQLCHAR *) "TABLE,VIEW", SQL_NTS);
	if (strcmp(name, "columns") == 0)
		return SQLColumns(statement, NULL, 0, schema, SQL_NTS, table, table ? SQL_NTS : 0, NULL, 0);
	if (strcmp(name, "primary") == 0)
		return SQLPrimaryKeys(statement, NULL, 0, schema, SQL_NTS, table, SQL_NTS);
	if (strcmp(name, "imported") == 0)
		return SQLForeignKeys(statement, NULL, 0, NULL, 0, NULL, 0, NULL, 0, schema, SQL_NTS, table,
							  SQL_NTS);
	if (strcmp(name, "exported") == 0)
		return SQLForeignKeys(statement, NULL, 0, schema, SQL_NTS, table, SQL_NTS, NULL, 0, NULL, 0,
							  NULL, 0);
	if (strcmp(name, "indexes") == 0)
		return SQLStatistics(statement, NULL, 0, schema, SQL_NTS, table, SQL_NTS, SQL_INDEX_ALL,
							 SQL_QUICK);
	fprintf(stderr, "unknown call %s\n", name);
	exit(2);
}

static SQLRETURN
start_command(SQLHSTMT statement, char kind, char *text)
{
	SQLSMALLINT n;

	if (kind == 'M')
		return call_catalog(statement, text);
	if (kind == 'Q')
		return SQLExecDirect(statement, (SQLCHAR *) text, SQL_NTS);
	if (failed(SQLPrepare(statement, (SQLCHAR *) text, SQL_NTS), SQL_HANDLE_STMT, statement))
		return SQL_NO_DATA;
	if (SQL_SUCCEEDED(SQLNumResultCols(statement, &n)) && n > 0)
		(void) print_columns(statement, n);
	return SQLExecute(statement);
}

static void
run_command(char *line)
{
	SQLHSTMT statement;

	printf("S\t");
	print_escaped(line);
	putchar('\n');
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement)))
		exit(2);
	if (!failed(start_command(statement, line[0], line + 2), SQL_HANDLE_STMT, statement))
	{
		SQLRETURN more = SQL_SUCCESS;

		while (SQL_SUCCEEDED(more) && print_result(statement))
		{
			more = SQLMoreResults(statement);
			(void) failed(more, SQL_HANDLE_STMT, statement);
		}
	}
	SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

int
main(int argc, char **argv)
{
	static char line[MAX_LINE];
	SQLHENV environment;

	if (argc != 2)
		return 2;
	setlocale(LC_ALL, "");
	SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment);
	SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER) SQL_OV_ODBC3, 0);
	SQLAllocHandle(SQL_HANDLE_DBC, environment, &connection);
	if (failed(SQLDriverConnect(connection, NULL, (SQLCHAR *) argv[1], SQL_NTS, NULL, 0, NULL,
								SQL_DRIVER_NOPROMPT),
			   SQL_HANDLE_DBC, connection))
		return 0;
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		run_command(line);
	}
	SQLDisconnect(connection);
	SQLFreeHandle(SQL_HANDLE_DBC, connection);
	SQLFreeHandle(SQL_HANDLE_ENV, environment);
	return 0;
}
