-- wrk's figures as one line of JSON, p95 included.
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'JSON {"count":%d,"per_s":%.1f,"bytes_per_s":%.0f,"errors":%d,"p50_us":%.1f,"p95_us":%.1f,"p99_us":%.1f,"max_us":%.1f}\n',
        summary.requests, summary.requests / summary.duration * 1e6, summary.bytes / summary.duration * 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
