# Airflow with the project's operators, for those who run it in containers. Jobs do not run here: they run on SageMaker.
FROM apache/airflow:3.3.2-python3.11
COPY requirements.txt constraints-airflow.txt /
RUN pip install --no-cache-dir -r /requirements.txt -c /constraints-airflow.txt
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 include /opt/airflow/include
ENV PYTHONPATH=/opt/airflow
