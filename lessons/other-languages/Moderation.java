// Moderation in Java 17, the JDK only: a plain subscriber, which stores nothing. The bus keeps its position, and sends an event
// again until a 2xx answers it. The id of a verdict is derived from the comment's, so the bus recognises a verdict that is
// published again: the service is idempotent without a memory.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;

public class Moderation {
  static final int PORT = Integer.parseInt(System.getenv().getOrDefault("PORT", "4003"));
  static final String BUS = System.getenv().getOrDefault("EVENT_BUS_URL", "http://localhost:4005");
  static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  public static void main(String... args) throws IOException {
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", PORT), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/events", exchange -> {
      exchange.sendResponseHeaders(moderate(exchange), -1);
      exchange.close();
    });
    server.start();
    System.out.println("listening on http://127.0.0.1:" + PORT);
  }

  /** Handles a request, and returns the status of its answer. */
  static int moderate(HttpExchange exchange) {
    if (!exchange.getRequestMethod().equals("POST")) return 404; // the bus asks for a checkpoint, and there is none
    try {
      var event = members(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
      if (!event.get("type").equals("\"CommentCreated\"")) return 204;
      int status = publish(verdictOn(members(event.get("data"))));
      // 409: the log has a verdict on this comment, and the first one stands.
      return status / 100 == 2 || status == 409 ? 204 : 503;
    } catch (IOException | InterruptedException error) {
      return 503; // the bus is away: it sends the event again
    } catch (RuntimeException error) {
      return 422; // a poison event: the bus puts it aside after a few times
    }
  }

  /** The event that announces the verdict on a comment. */
  static String verdictOn(Map<String, String> comment) {
    String id = comment.get("id"), postId = comment.get("postId"), content = comment.get("content");
    String text = id.startsWith("\"") ? id.substring(1, id.length() - 1) : id;
    String status = content != null && content.toLowerCase().contains("orange") ? "rejected" : "approved";
    return """
        {"id": "%s/CommentModerated", "source": "moderation", "type": "CommentModerated",
         "data": {"id": %s, "postId": %s, "content": %s, "status": "%s"}}""".formatted(text, id, postId, content, status);
  }

  static int publish(String event) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(BUS + "/events")).timeout(Duration.ofSeconds(4))
        .header("Content-Type", "application/json").POST(BodyPublishers.ofString(event)).build();
    return CLIENT.send(request, BodyHandlers.discarding()).statusCode();
  }

  /** The members of a JSON object, each value as its JSON: the JDK has no parser, and a verdict repeats the values as they are. */
  static Map<String, String> members(String json) {
    var members = new HashMap<String, String>();
    String name = null;
    for (int i = 0, depth = 0, start = 0; i < json.length(); i++) {
      switch (json.charAt(i)) {
        case '"' -> { // passes a whole text
          for (i++; json.charAt(i) != '"'; i++) if (json.charAt(i) == '\\') i++;
        }
        case '{', '[' -> {
          if (depth++ == 0) start = i + 1;
        }
        case ':' -> {
          if (depth != 1) continue;
          name = json.substring(start, i).strip().replace("\"", "");
          start = i + 1;
        }
        case ',', '}', ']' -> {
          if (depth == 1 && name != null) members.put(name, json.substring(start, i).strip());
          if (depth == 1) start = i + 1;
          if (json.charAt(i) != ',') depth--;
        }
        default -> {}
      }
    }
    return members;
  }
}
