FROM tracemesh-offline/busybox:static
COPY alertmanager amtool /bin/
RUN mkdir -p /etc/alertmanager /alertmanager && chown nobody:nobody /etc/alertmanager /alertmanager
WORKDIR /alertmanager
EXPOSE 9093
VOLUME ["/alertmanager"]
USER nobody
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
