#include "runtime/images/registry_http.h"

#include "base/error.h"
#include "runtime/engine.h"
#include "runtime/images/registry_wire.h"

#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>

namespace kedge::runtime {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

HttpResponse parse_head(int status, const std::string& head) {
    HttpResponse response;
    response.status = status;
    size_t begin = head.find("\r\n");
    while (begin < head.size()) {
        begin += 2;
        size_t end = std::min(head.find("\r\n", begin), head.size());
        std::string_view line(head.data() + begin, end - begin);
        begin = end;
        size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        line.remove_prefix(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
        line = line.substr(0, line.find_last_not_of(" \t") + 1);
        response.headers.emplace(std::move(name), line);
    }
    return response;
}

/// One answer on its way in.
struct Reception {
    const HttpRequest& request;
    const HttpSink* sink;
    const Line& line;
    std::optional<HttpResponse> head;
    bool cut = false;  // we have seen enough of a failure's body
    Clock::time_point last = Clock::now();
    std::exception_ptr failure;

    bool success() const { return head->status >= 200 && head->status < 300; }

    bool begin(const httplib::Response& response) {
        return guard([&] {
            last = Clock::now();
            head = parse_head(response.status, line.head);
            if (sink && success()) sink->begin(*head);
            return true;
        });
    }
    bool data(std::string_view bytes) {
        return guard([&] {
            last = Clock::now();
            if (sink && success()) {
                sink->data(bytes);
                return true;
            }
            std::string& body = head->body;
            if (body.size() + bytes.size() <= request.body_limit) {
                body += bytes;
                return true;
            }
            if (success()) {
                throw Error(Code::invalid_argument, request.url.authority() + ": its answer is larger than " +
                                                        std::to_string(request.body_limit) + " bytes");
            }
            cut = true;
            return false;
        });
    }

private:
    /// Exceptions don't travel through the library.
    template <class Work>
    bool guard(Work work) {
        try {
            return work();
        } catch (...) {
            failure = std::current_exception();
            return false;
        }
    }
};

Error broken(const Url& url, httplib::Error error, const Reception& reception) {
    std::string what = url.authority() + ": ";
    bool idle = Clock::now() - reception.last >= kIdlePatience - 1s;
    switch (error) {
        case httplib::Error::SSLConnection:
            return Error(Code::unavailable, what + "TLS handshake failed",
                         "if it doesn't speak TLS, list it under the insecure registries");
        case httplib::Error::Read:
        case httplib::Error::Write:
            if (idle) return Error(Code::unavailable, what + "no data for 30 s");
            return Error(Code::unavailable,
                         what + (reception.head ? "connection broke off" : "connection closed without an answer"));
        default: return Error(Code::unavailable, what + "connection failed (" + httplib::to_string(error) + ")");
    }
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

struct HttpTransport::Connection {
    Line line;
    std::unique_ptr<httplib::ClientImpl> client;
    httplib::SSLClient* tls = nullptr;

    Connection(const Url& url, const RegistrySettings& settings) : line(url.host, url.port) {
        if (url.tls) {
            auto owned = std::make_unique<WireClient<httplib::SSLClient>>(line, url.host, url.port);
            tls = owned.get();
            client = std::move(owned);
            if (auto file = settings.ca_files.find(url.authority()); file != settings.ca_files.end()) {
                if (::access(file->second.c_str(), R_OK) != 0) throw_errno("CA file " + file->second);
                client->set_ca_cert_path(file->second);
            }
        } else {
            client = std::make_unique<WireClient<httplib::ClientImpl>>(line, url.host, url.port);
        }
        client->set_keep_alive(true);
        client->set_url_encode(false);  // signed addresses must arrive as they are
        client->set_decompress(false);
        client->set_connection_timeout(kConnectPatience);  // also the TLS handshake's
        client->set_read_timeout(kIdlePatience);
        client->set_write_timeout(kIdlePatience);
    }

    Error certificate_error(const Url& url) const {
        long result = tls ? tls->get_openssl_verify_result() : 0;
        std::string reason = result == 0 ? "it is for another host" : ::X509_verify_cert_error_string(result);
        return Error(Code::unavailable, url.authority() + ": certificate is not trusted: " + reason);
    }
};

HttpTransport::HttpTransport(std::shared_ptr<const RegistrySettings> settings) : settings_(std::move(settings)) {}
HttpTransport::~HttpTransport() = default;

HttpTransport::Connection& HttpTransport::connection_to(const Url& url) {
    auto& slot = connections_[(url.tls ? "https://" : "http://") + url.authority()];
    if (!slot) slot = std::make_unique<Connection>(url, *settings_);
    return *slot;
}

HttpResponse HttpTransport::send(const HttpRequest& request, const HttpSink* sink, std::stop_token stop) {
    Connection& connection = connection_to(request.url);
    for (bool again = false;; again = true) {
        Reception reception{request, sink, connection.line, {}, false, Clock::now(), {}};
        httplib::Request out;
        out.method = request.method;
        out.path = request.url.target;
        for (const auto& [name, value] : request.headers) out.headers.emplace(name, value);
        out.headers.emplace("User-Agent", "kedge");
        out.headers.emplace("Accept-Encoding", "identity");
        out.response_handler = [&](const httplib::Response& response) { return reception.begin(response); };
        out.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
            return reception.data({data, size});
        };

        int opened = connection.line.opened();
        connection.line.begin(stop);
        httplib::Response in;
        auto error = httplib::Error::Success;
        bool good;
        {
            std::stop_callback hang_up(stop, [&] { connection.line.hang_up(); });
            good = connection.client->send(out, in, error);
        }
        if (reception.failure) std::rethrow_exception(reception.failure);
        if (good && !reception.head)
            reception.head = parse_head(in.status, connection.line.head);  // HEAD, 204: there is no body to begin
        if (good || reception.cut) return std::move(*reception.head);
        if (stop.stop_requested()) throw Error(Code::cancelled, "cancelled");
        try {
            connection.line.rethrow();
        } catch (const Error& e) {
            throw e.with_context(request.url.authority());
        }
        if (error == httplib::Error::SSLServerVerification) throw connection.certificate_error(request.url);
        if (error == httplib::Error::SSLLoadingCerts) {
            throw Error(Code::invalid_argument, request.url.authority() + ": its CA file holds no usable certificate");
        }
        // A kept connection that the server has closed meanwhile says nothing about the server.
        bool stale = opened == connection.line.opened() && opened > 0 && !reception.head;
        if (!stale || again) throw broken(request.url, error, reception);
    }
}

}  // namespace kedge::runtime
