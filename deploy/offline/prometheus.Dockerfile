FROM tracemesh-offline/busybox:static
COPY prometheus promtool /bin/
RUN mkdir -p /etc/prometheus /prometheus && chown nobody:nobody /etc/prometheus /prometheus
WORKDIR /prometheus
EXPOSE 9090
VOLUME ["/prometheus"]
USER nobody
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
