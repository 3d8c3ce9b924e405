import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Runs commands from standard input through pgjdbc, in autocommit, and prints what came: Shapes URL USER PASSWORD.
 *
 * Commands, one a line: Q statement; P statement (prepared and described before it runs); M call [schema [table]], a
 * call of DatabaseMetaData.  Output, fields separated by tabs: S command; C name:type…; R value…; U rows changed;
 * E SQLSTATE message.  NULL is \N; tab, newline and backslash are \t, \n and \\.
 */
public final class Shapes
{
	private static PrintStream out;

	public static void main(String[] arguments) throws Exception
	{
		out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
		try (Connection connection = DriverManager.getConnection(arguments[0], arguments[1], arguments[2]))
		{
			BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
			for (String line = in.readLine(); line != null; line = in.readLine())
			{
				out.println("S\t" + escape(line));
				try
				{
					run(connection, line.charAt(0), line.substring(2));
				}
				catch (SQLException e)
				{
					error(e);
				}
			}
		}
		catch (SQLException e)
		{
			error(e);
		}
		out.flush();
	}

	private static void error(SQLException e)
	{
		out.println("E\t" + e.getSQLState() + "\t" + escape(e.getMessage()));
	}

	private static void run(Connection connection, char kind, String text) throws SQLException
	{
		if (!connection.getAutoCommit())
			throw new SQLException("not in autocommit", "XX000");
		if (kind == 'M')
		{
			describe(connection.getMetaData(), text.split(" "));
			return;
		}
		if (kind == 'P')
		{
			try (PreparedStatement statement = connection.prepareStatement(text))
			{
				if (statement.getMetaData() != null)
					columns(statement.getMetaData());
				results(statement, statement.execute());
			}
			return;
		}
		try (Statement statement = connection.createStatement())
		{
			results(statement, statement.execute(text));
		}
	}

	/** All results of a statement: there are several where it is BEGIN; DECLARE …; FETCH … */
	private static void results(Statement statement, boolean first) throws SQLException
	{
		boolean rows = first;
		while (rows || statement.getUpdateCount() != -1)
		{
			if (rows)
				print(statement.getResultSet());
			else
				out.println("U\t" + statement.getUpdateCount());
			rows = statement.getMoreResults();
		}
	}

	private static void describe(DatabaseMetaData meta, String[] call) throws SQLException
	{
		String schema = call.length > 1 ? call[1] : null;
		String table = call.length > 2 ? call[2] : null;
		switch (call[0])
		{
			case "schemas" -> print(meta.getSchemas());
			case "catalogs" -> print(meta.getCatalogs());
			case "types" -> print(meta.getTableTypes());
			case "tables" -> print(meta.getTables(null, schema, "%", new String[] {"TABLE", "VIEW", "PARTITIONED TABLE"}));
			case "columns" -> print(meta.getColumns(null, schema, table == null ? "%" : table, "%"));
			case "primary" -> print(meta.getPrimaryKeys(null, schema, table));
			case "imported" -> print(meta.getImportedKeys(null, schema, table));
			case "exported" -> print(meta.getExportedKeys(null, schema, table));
			case "indexes" -> print(meta.getIndexInfo(null, schema, table, false, true));
			default -> throw new SQLException("unknown call " + call[0], "XX000");
		}
	}

	private static void columns(ResultSetMetaData meta) throws SQLException
	{
		StringBuilder line = new StringBuilder("C");
		for (int i = 1; i <= meta.getColumnCount(); i++)
			line.append('\t').append(escape(meta.getColumnLabel(i))).append(':').append(meta.getColumnTypeName(i));
		out.println(line);
	}

	private static void print(ResultSet rows) throws SQLException
	{
		int n = rows.getMetaData().getColumnCount();
		columns(rows.getMetaData());
		while (rows.next())
		{
			StringBuilder line = new StringBuilder("R");
			for (int i = 1; i <= n; i++)
				line.append('\t').append(escape(rows.getString(i)));
			out.println(line);
		}
	}

	private static String escape(String text)
	{
		if (text == null)
			return "\\N";
		return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
	}
}
