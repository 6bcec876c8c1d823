import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;

/** DynamoDB Local, which would answer the whole network, for this machine alone. */
public class Local {
    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer server = ServerRunner.createServerFromCommandLineArgs(arguments);
        for (Field field : DynamoDBProxyServer.class.getDeclaredFields()) {
            if (!field.getType().getName().equals("org.eclipse.jetty.server.Server")) {
                continue;
            }
            field.setAccessible(true);
            Object jetty = field.get(server);
            Object[] connectors = (Object[]) jetty.getClass().getMethod("getConnectors").invoke(jetty);
            for (Object connector : connectors) {
                connector.getClass().getMethod("setHost", String.class).invoke(connector, "127.0.0.1");
            }
        }
        server.start();
        server.join();
    }
}
